"""The evidence section of a report: how outputs were checked, what the model learned from, who decided."""

from __future__ import annotations

from audit.reports import charts, pieces, snapshot
from audit.reports.markup import Child, Markup, join, tag
from audit.reports.snapshot import Dataset, Outputs, Snapshot, TrainingRun, Verdicts
from audit.reports.wording import NOT_KNOWN, figure, licence, minute, place, scalar, word
from lib.figures import count, duration


def evidence(said: Snapshot) -> Markup:
    return pieces.section(
        "evidence",
        "Evidence",
        _checks(said["outputs"]),
        _training_music(said["dataset"]),
        _training(said["training_run"]),
        tag("h3", "Decisions"),
        pieces.table(
            "Recorded reviews, in order.",
            ["When", "About", "Decision", "By", "Reason"],
            [
                [minute(d["at"]), d["subject"], word(d["decision"]), word(d["role"]), d["reason"]]
                for d in said["decisions"]
            ],
        )
        if said["decisions"]
        else tag("p", "No decision has been recorded."),
    )


def _checks(outputs: Outputs) -> Markup:
    control = outputs["control"]
    rows = [_verdict_row("This model", outputs["verdicts"], outputs["n"])]
    if control is not None:
        name = f"Control: {control['model']}, trained on {control['trained_on']}"
        rows.append(_verdict_row(name, control["verdicts"], control["n_outputs"]))
    return join(
        [
            tag("h3", "Checks of outputs"),
            pieces.table(
                "Verdicts on outputs, this model beside the control.",
                ["", "Outputs", *(word(verdict) for verdict in snapshot.VERDICTS_WORST_FIRST), ""],
                rows,
                numbers={1, 2, 3, 4, 5},
            ),
            _how_checked(outputs),
            _missed(outputs),
        ]
    )


def _verdict_row(name: str, verdicts: Verdicts, n: int) -> list[Child]:
    counts = dict(verdicts)
    ordered = [(verdict, int(str(counts[verdict]))) for verdict in snapshot.VERDICTS_WORST_FIRST]
    return [name, n, *(counted for _, counted in ordered), pieces.bar(ordered)]


def _how_checked(outputs: Outputs) -> Markup:
    policy, index, confirmation = outputs["policy"], outputs["index"], outputs["confirmation"]
    not_checked = ", ".join(outputs["kinds_not_checked"]) or "none"
    rows: list[tuple[str, Child]] = [("Released", f"{count(outputs['n_released'])} of {count(outputs['n'])}")]
    if index is not None:
        covers = "covers every recording" if index["covers_all"] else "does not cover every recording"
        rows.append(
            ("Index", [f"{index['dataset']} {index['version']}, {covers}", pieces.digest(index["id"])])
        )
        rows.append(("Kinds of likeness searched", ", ".join(index["kinds"])))
    rows.append(("Kinds not searched", not_checked))
    if policy is not None:
        calibrated = (
            "calibrated" if policy["calibrated"] else "not calibrated: its false alarms are not known"
        )
        rows.append(("Policy", [f"{policy['name']}, {calibrated}", pieces.digest(policy["id"])]))
        rows.append(("False alarms aimed at", figure(policy["false_alarm_target"])))
    if confirmation is not None:
        confirmed = (
            f"{count(confirmation['n_confirmed'])} of {count(confirmation['n_flagged'])} flagged outputs"
        )
        rows.append(
            (f"Confirmed by {confirmation['method']}", f"{confirmed}, at {confirmation['threshold']}")
        )
    thresholds = policy["thresholds"] if policy else []
    return join(
        [
            pieces.credit_list(rows),
            pieces.table(
                "Thresholds.",
                ["Name", "Value", "Unit", "Meaning"],
                [[t["name"], figure(t["value"], 6), t["unit"], t["meaning"]] for t in thresholds],
                numbers={1},
            )
            if thresholds
            else None,
        ]
    )


def _missed(outputs: Outputs) -> Markup:
    if not outputs["missed"]:
        return tag("p", "What the check misses has not been measured.")
    return pieces.table(
        "What the check misses: copies planted under one alteration each, and how many were found.",
        ["Alteration", "Planted", "Found", "Missed", ""],
        [
            [
                row["alteration"],
                row["n_planted"],
                row["n_found"],
                row["n_planted"] - row["n_found"],
                pieces.bar([("covered", row["n_found"]), ("rest", row["n_planted"] - row["n_found"])]),
            ]
            for row in outputs["missed"]
        ],
        numbers={1, 2, 3},
    )


def _training_music(dataset: Dataset | None) -> Markup:
    if dataset is None:
        return join(
            [tag("h3", "Training music"), tag("p", "Not known. Nothing about its rights can be said.")]
        )
    order = snapshot.CLEARANCE_STRICTEST_FIRST.index
    rows = sorted(dataset["licences"], key=lambda row: (order(row["answer"]), -row["n_recordings"]))
    use = "commercial" if dataset["commercial"] else "non-commercial"
    return join(
        [
            tag("h3", "Training music"),
            pieces.credit_list(
                [
                    ("Cleared for", f"{word(dataset['purpose'])}, {use}"),
                    ("Territory", place(dataset["territory"])),
                    ("For the model", f"{dataset['model']} alone" if dataset["model"] else "any"),
                    ("Under policy", dataset["policy"]),
                    ("Frozen", minute(dataset["frozen_at"])),
                ]
            ),
            pieces.table(
                "Recordings by licence and answer, the stricter of master and composition.",
                ["Licence", "Answer", "Recordings", "Music"],
                [
                    [
                        licence(row["licence"]),
                        pieces.mark(row["answer"]),
                        row["n_recordings"],
                        duration(row["seconds"]),
                    ]
                    for row in rows
                ],
                numbers={2, 3},
            ),
            _conditions_and_conflicts(dataset),
        ]
    )


def _conditions_and_conflicts(dataset: Dataset) -> Markup:
    conditions, conflicts = dataset["conditions_accepted"], dataset["conflicts"]
    return join(
        [
            pieces.table(
                "Conditions that a reviewer accepted.",
                ["Condition", "Accepted by", "When", "Reason"],
                [[c["condition"], word(c["role"]), minute(c["at"]), c["reason"]] for c in conditions],
            )
            if conditions
            else tag("p", "No conditions were accepted."),
            pieces.table(
                "Conflicts between sources.",
                ["Kind", "What", "Recordings", "Status"],
                [
                    [word(c["kind"]), c["description"], c["n_recordings"], word(c["status"])]
                    for c in conflicts
                ],
                numbers={2},
            )
            if conflicts
            else tag("p", "No conflict between sources was found."),
        ]
    )


def _training(run: TrainingRun | None) -> Markup:
    if run is None:
        return join(
            [tag("h3", "Training"), tag("p", "Not known: the model was registered with its weights.")]
        )
    energy = run["energy"]
    spent = (
        f"{figure(energy['watt_hours'])} Wh, {energy['basis']}"
        if energy["watt_hours"] is not None
        else NOT_KNOWN
    )
    config = ", ".join(f"{name} {scalar(value)}" for name, value in sorted(run["config"].items()))
    credits = pieces.credit_list(
        [
            ("Run", pieces.digest(run["id"])),
            ("Started", minute(run["started_at"])),
            ("Lasted", f"{duration(run['seconds'])}, {count(run['n_steps'])} steps on {run['device']}"),
            ("Seed", str(run["seed"])),
            ("Energy", [spent, tag("span", f" {energy['assumption']}", cls="note")]),
            ("Code", pieces.digest(run["code_version"])),
            ("Configuration", config or "defaults"),
        ]
    )
    losses = [("this model", run["final_held_out"])] + [
        (f"baseline: {baseline['name']}", baseline["held_out"]) for baseline in run["baselines"]
    ]
    return join(
        [
            tag("h3", "Training"),
            credits,
            pieces.table(
                f"Held-out loss in {run['loss_unit']}; lower is better.",
                ["", "Loss"],
                [[name, figure(loss, 4)] for name, loss in losses],
                numbers={1},
                narrow=True,
            ),
            charts.loss_curve(run),
            _loss_table(run),
        ]
    )


def _loss_table(run: TrainingRun, most: int = 12) -> Markup | None:
    points = run["losses"]
    if not points:
        return None
    every = -(-len(points) // most)
    shown = points[::every]
    if shown[-1] is not points[-1]:
        shown = [*shown, points[-1]]
    left_out = f"; {len(shown)} of {len(points)} points, all are in report.json" if every > 1 else ""
    return pieces.table(
        f"Loss by step{left_out}.",
        ["Step", "Training", "Held out"],
        [[point["step"], figure(point["training"], 4), figure(point["held_out"], 4)] for point in shown],
        numbers={0, 1, 2},
        narrow=True,
    )
