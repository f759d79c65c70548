"""A report as one HTML page that needs nothing else, from scope and verdict to evidence and signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.reports import charts, faces, pieces, proof, snapshot, wholeness
from audit.reports.markup import Child, Markup, join, tag, trusted
from audit.reports.snapshot import AssessedFeature, Dataset, Match, Outputs, Snapshot, TrainingRun
from audit.reports.wording import NOT_KNOWN, counted, day, figure, licence, minute, scalar, word
from lib.figures import clock, count, duration, share

SHEET = Path(__file__).with_name("sheet.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; base-uri 'none'"
"""Content security policy of the page: even markup that slipped through could fetch and run nothing."""


def render_html(report: Mapping[str, Any]) -> str:
    """Render a snapshot.

    Parameters
    ----------
    report : Snapshot
        What the report says; checked first.

    Returns
    -------
    str
        A complete HTML document with its styles, faces and drawings inside it. It loads nothing from anywhere
        and holds no script.

    Raises
    ------
    SnapshotError
        If the snapshot is incomplete or contradicts itself.
    """
    said = wholeness.check(report)
    sections = [
        _head(said),
        _scope(said),
        _verdict(said),
        _coverage_and_conformance(said),
        _findings(said),
        proof.evidence(said),
        _all_features(said),
        _limitations(said),
        _signature(said),
    ]
    title = f"{said['model']['name']} {said['model']['version']}: report of {day(said['issued_at'])}"
    body = tag(
        "body",
        tag("a", "Skip to the verdict", cls="skip", href="#verdict"),
        _spine(said),
        tag("main", sections, tag("footer", _colophon(said))),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", title),
        tag("style", trusted(faces.embedded(body) + SHEET.read_text(encoding="utf-8"))),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


# ── The page's parts, in order ────────────────────────────────────────────────────────────────────


def _spine(said: Snapshot) -> Markup:
    sheet = f"{said['model']['name']} {said['model']['version']} · report {said['id']}"
    return tag(
        "header",
        tag("b", "Liner Notes"),
        tag("span", f"Report {said['id']}"),
        cls="spine",
        data_sheet=sheet,
    )


def _head(said: Snapshot) -> Markup:
    model, dataset = said["model"], said["dataset"]
    trained = (
        f"trained on {dataset['name']} {dataset['version']}"
        if dataset
        else "trained on music that is not known"
    )
    return join(
        [
            tag("h1", model["name"]),
            tag("p", f"Version {model['version']}, {model['architecture_title']}, {trained}", cls="by"),
        ]
    )


def _scope(said: Snapshot) -> Markup:
    model, outputs, framework = said["model"], said["outputs"], said["assessment"]["framework"]
    index, dataset = outputs["index"], said["dataset"]
    checked = (
        f"{count(outputs['n'])}, against {counted(index['n_recordings'], 'recording', 'recordings')} "
        f"of {index['dataset']} {index['version']}"
        if index
        else f"{count(outputs['n'])}, against nothing"
    )
    rows: list[tuple[str, Child]] = [
        ("Model", [f"{model['name']} {model['version']}", pieces.digest(model["weights_sha256"])]),
        ("Parameters", NOT_KNOWN if model["n_parameters"] is None else count(model["n_parameters"])),
        (
            "Training music",
            [
                f"{dataset['name']} {dataset['version']}, "
                f"{counted(dataset['n_recordings'], 'recording', 'recordings')}, "
                f"{duration(dataset['seconds'])}",
                pieces.digest(dataset["merkle_root"]),
            ]
            if dataset
            else "not known: the model was registered without it",
        ),
        *([("Used of it", _used(said["training_run"], dataset))] if dataset else []),
        ("Outputs checked", checked),
        ("Held against", f"{framework['name']}, version {framework['version']}"),
        ("Issued", minute(said["issued_at"])),
        ("Issued by", [said["issuer"]["organisation"], pieces.digest(said["issuer"]["key_id"])]),
    ]
    return pieces.section("scope", "What this report is about", pieces.credit_list(rows))


def _used(run: TrainingRun | None, dataset: Dataset) -> list[Child]:
    """Say how much of the version the run took; a version can be far larger than what a model learned from."""
    if run is None:
        return [NOT_KNOWN]
    used = run["recordings"]
    whole = count(dataset["n_recordings"])
    heard = used["excerpt_s"]
    lines: list[Child] = [
        f"trained on {count(used['n_trained'])} of {whole} recordings, {duration(used['trained_seconds'])} of "
        f"{duration(dataset['seconds'])}" + (f", at most {duration(heard)} of each" if heard else ""),
        f"measured on {count(used['n_held_out'])} more, {duration(used['held_out_seconds'])}"
        if used["n_held_out"]
        else "nothing held out to measure on",
    ]
    return [tag("div", line) for line in lines]


def _verdict(said: Snapshot) -> Markup:
    outputs = said["outputs"]
    return pieces.section(
        "verdict",
        "Verdict",
        tag(
            "div",
            pieces.mark(said["release"]),
            [tag("p", reason, cls="prose") for reason in said["release_reasons"]],
            cls="verdict",
        ),
        tag("p", _sentence_on_outputs(outputs), cls="lede"),
        tag("dl", _headline_figures(said), cls="figures"),
        tag(
            "p",
            "Likeness is not infringement, and no match is not legal advice. A person decides; the decision and "
            "its reason stand under Evidence.",
            cls="note",
        ),
    )


def _coverage_and_conformance(said: Snapshot) -> Markup:
    assessment = said["assessment"]
    features = assessment["features"]
    requirements = list(dict.fromkeys(feature["requirement"] for feature in features))
    groups = [(name, [f for f in features if f["requirement"] == name]) for name in requirements]
    return pieces.section(
        "coverage",
        "Coverage and conformance",
        tag("p", assessment["framework"]["reading"], cls="prose"),
        tag("h3", "Coverage: which features have evidence"),
        pieces.table(
            "Features with at least one row, figure or document to rest on, whatever these say.",
            ["Requirement", "Features", "With evidence", ""],
            [_coverage_row(name, group) for name, group in [*groups, ("All", features)]],
            numbers={1, 2},
        ),
        tag("h3", "Conformance: what the answers are"),
        pieces.table(
            "Answers by requirement. They are counted, not weighed, and there is no score.",
            ["Requirement", *(word(answer) for answer in snapshot.WORST_FIRST), ""],
            [_conformance_row(name, group) for name, group in [*groups, ("All", features)]],
            numbers={1, 2, 3, 4, 5},
        ),
    )


def _findings(said: Snapshot) -> Markup:
    features = said["assessment"]["features"]
    not_met = [feature for feature in features if feature["conformance"] == "not_met"]
    partly = [feature for feature in features if feature["conformance"] == "partly"]
    matches = sorted(
        said["outputs"]["matches"],
        key=lambda match: (snapshot.VERDICTS_WORST_FIRST.index(match["verdict"]), -match["score"]),
    )
    return pieces.section(
        "findings",
        "Findings, the worst first",
        tag("h3", "Outputs most like a recording"),
        _matches(matches),
        tag("h3", "Features not met"),
        _short_list(not_met, "No feature was found not met."),
        tag("h3", "Features partly met"),
        _short_list(partly, "No feature was found partly met."),
    )


def _all_features(said: Snapshot) -> Markup:
    assessment = said["assessment"]
    framework = assessment["framework"]
    parts: list[Markup] = []
    requirement = ""
    for feature in assessment["features"]:
        if feature["requirement"] != requirement:
            requirement = feature["requirement"]
            parts.append(tag("h3", requirement))
        parts.append(_feature(feature))
    return pieces.section(
        "features",
        f"All {len(assessment['features'])} features",
        tag(
            "p",
            f"{framework['name']} by {framework['authors']}, ",
            tag("a", framework["source_url"], href=framework["source_url"]),
            ". Under each answer stands what would count as met here.",
            cls="note",
        ),
        parts,
    )


def _limitations(said: Snapshot) -> Markup:
    return pieces.section(
        "limitations",
        "What this report can't say",
        tag("ul", [tag("li", limitation) for limitation in said["limitations"]], cls="plain"),
    )


def _signature(said: Snapshot) -> Markup:
    ledger = said["ledger"]
    anchors = ", ".join(ledger["anchors"]) or "in this report and nowhere else that the issuer names"
    rows: list[tuple[str, Child]] = [
        ("Key", pieces.digest(said["issuer"]["key_id"])),
        (
            "Ledger head",
            [f"after {counted(ledger['n_events'], 'event', 'events')}", pieces.digest(ledger["head"])],
        ),
        ("Ledger head taken", minute(ledger["at"])),
        ("Head anchored", anchors),
    ]
    return pieces.section(
        "signature",
        "Signature, and how to verify it",
        tag(
            "p",
            "This page is one of four files: report.json (all of the above as canonical JSON, RFC 8785), "
            "report.html, report.pdf and report.sig, which holds the SHA-256 of the other three under one Ed25519 "
            "signature. One changed byte in any of them, a missing or an added file, and the report is refused.",
            cls="prose",
        ),
        pieces.credit_list(rows),
        tag("pre", "python manage.py verify_report FOLDER --public-key ISSUER.pem"),
        tag(
            "p",
            "It runs offline. Take the issuer's public key from the issuer and not from beside this page: "
            "without it, only that the files belong together can be shown, not who signed them. A valid "
            "signature shows that the issuer said this; it does not make it true, and the time is the issuer's own.",
            cls="prose",
        ),
    )


def _colophon(said: Snapshot) -> list[Child]:
    framework = said["assessment"]["framework"]
    return [
        tag("p", f"Made by {said['issuer']['software']} at {minute(said['issued_at'])}."),
        tag("p", framework["notice"]),
    ]


# ── Verdict ───────────────────────────────────────────────────────────────────────────────────────


def _sentence_on_outputs(outputs: Outputs) -> str:
    if outputs["n"] == 0:
        return "No output of this model has been checked, so nothing is known about what it copies."
    verdicts, n = outputs["verdicts"], outputs["n"]
    flagged = snapshot.n_flagged(verdicts)
    sentence = (
        f"Of {counted(n, 'output', 'outputs')} checked, {count(flagged)} ({share(flagged, n)}) were flagged as "
        f"like training music: {count(verdicts['blocked'])} blocked, {count(verdicts['review'])} for review."
    )
    if verdicts["unverifiable"]:
        sentence += f" {count(verdicts['unverifiable'])} could not be checked."
    control = outputs["control"]
    if control is None:
        return f"{sentence} No control model was run, so how much of this is chance is not known."
    other, total = snapshot.n_flagged(control["verdicts"]), control["n_outputs"]
    return (
        f"{sentence} The same check flagged {count(other)} of {count(total)} ({share(other, total)}) outputs "
        f"of {control['model']}, which never heard this music."
    )


def _headline_figures(said: Snapshot) -> list[Markup]:
    outputs, assessment = said["outputs"], said["assessment"]
    flagged = snapshot.n_flagged(outputs["verdicts"])
    confirmation, control = outputs["confirmation"], outputs["control"]
    coverage, conformance = assessment["coverage"], assessment["conformance"]
    figures = [
        ("Flagged outputs", share(flagged, outputs["n"]), f"{count(flagged)} of {count(outputs['n'])}"),
        (
            "Control",
            share(snapshot.n_flagged(control["verdicts"]), control["n_outputs"]) if control else "–",
            f"{count(snapshot.n_flagged(control['verdicts']))} of {count(control['n_outputs'])} of other music"
            if control
            else "no control model was run",
        ),
        (
            "Confirmed",
            f"{confirmation['n_confirmed']} of {confirmation['n_flagged']}" if confirmation else "–",
            f"by {confirmation['method']}" if confirmation else "no second measure was taken",
        ),
        (
            "With evidence",
            f"{coverage['n_with_evidence']} of {coverage['n_features']}",
            "features (coverage)",
        ),
        (
            "Met",
            f"{conformance['met']} of {coverage['n_features']}",
            f"{conformance['partly']} partly, {conformance['not_met']} not, "
            f"{conformance['not_assessed']} not assessed",
        ),
    ]
    return [
        tag("div", tag("dt", name), tag("dd", number, cls="big"), tag("dd", why, cls="why"))
        for name, number, why in figures
    ]


# ── Coverage, conformance, findings ───────────────────────────────────────────────────────────────


def _coverage_row(name: str, features: Sequence[AssessedFeature]) -> list[Child]:
    coverage = snapshot.count_coverage(features)
    with_evidence, total = coverage["n_with_evidence"], coverage["n_features"]
    return [
        name,
        total,
        with_evidence,
        pieces.bar([("covered", with_evidence), ("rest", total - with_evidence)]),
    ]


def _conformance_row(name: str, features: Sequence[AssessedFeature]) -> list[Child]:
    counts = dict(snapshot.count_conformance(features))
    ordered = [(answer, int(str(counts[answer]))) for answer in snapshot.WORST_FIRST]
    return [name, *(n for _, n in ordered), pieces.bar(ordered)]


def _matches(matches: Sequence[Match]) -> Markup:
    if not matches:
        return tag("p", "No output has a match to show.")
    return join(_match(match) for match in matches)


def _match(match: Match) -> Markup:
    facts = [
        f"likeness of the {match['kind']} {figure(match['score'])}",
        f"p {figure(match['p_value'], 2)}" if match["p_value"] is not None else "p not known: not calibrated",
        f"correlation {figure(match['correlation'], 2)}"
        if match["correlation"] is not None
        else "correlation not measured",
        {True: "confirmed", False: "not confirmed", None: "confirmation not tried"}[match["confirmed"]],
        licence(match["licence"]),
    ]
    if match["judgement"] is not None:
        facts.insert(-1, f"a person said: {word(match['judgement'])}")
    return tag(
        "article",
        tag("h4", f"“{match['title']}”, {match['artist']}"),
        tag("p", pieces.mark(match["verdict"]), " · ", " · ".join(facts)),
        charts.alignment(match),
        tag(
            "p",
            f"{clock(match['query_start_s'])}–{clock(match['query_end_s'])} of output ",
            pieces.digest(match["output"]),
            f" lies on {clock(match['reference_start_s'])}–{clock(match['reference_end_s'])} of recording ",
            pieces.digest(match["recording"]),
            cls="note",
        ),
        cls="match",
    )


def _short_list(features: Sequence[AssessedFeature], none: str) -> Markup:
    if not features:
        return tag("p", none)
    return tag(
        "ul",
        [
            tag("li", tag("b", f"{feature['id']} {feature['name']}"), f": {feature['reason']}")
            for feature in features
        ],
        cls="plain",
    )


def _feature(feature: AssessedFeature) -> Markup:
    answered = {
        "measured": "computed from rows",
        "attested": "stated by a person",
        "nobody": "nobody has answered",
    }[feature["answered_by"]]
    return tag(
        "article",
        tag(
            "header",
            pieces.mark(feature["conformance"]),
            tag("h4", tag("span", feature["id"], cls="id"), feature["name"]),
        ),
        tag("p", feature["meaning"], cls="note"),
        tag("p", feature["reason"], tag("span", f" ({answered})", cls="note"))
        if feature["conformance"] != "not_assessed"
        else None,
        tag(
            "ul",
            [
                tag(
                    "li",
                    f"{item['label']}: {scalar(item['value'])} ",
                    tag("span", f"{item['kind']} {item['id']}", cls="hash"),
                    f", as of {item['effective_on']}" if item["effective_on"] else None,
                )
                for item in feature["evidence"]
            ],
        )
        if feature["evidence"]
        else None,
        tag("p", f"Met would be: {feature['counts_as']['met']}", cls="note")
        if feature["conformance"] != "met"
        else None,
        cls="feature",
    )
