"""Charts: where values lie on an axis, and markup that no label can break."""

from xml.etree import ElementTree

import pytest

from lib.plots import STROKES, Axis, Band, Curve, Interval, Mark, chart, intervals

SVG = "{http://www.w3.org/2000/svg}"


def drawn(label: str = "found", *, alone: bool = False) -> ElementTree.Element:
    text = chart(
        "Shares",
        x=Axis("strength", 0.0, 2.0),
        y=Axis("share", 1e-4, 1.0, is_log=True),
        curves=[Curve(label, [(0.0, 1.0), (2.0, 1e-4)]), Curve("seen", [(1.0, 0.1)], "dots")],
        bands=[Band("likely", [(0.0, 0.5, 1.0), (2.0, 1e-6, 1e-3)])],
        marks=[Mark("review", 1.5)],
        alone=alone,
    )
    return ElementTree.fromstring(text)  # noqa: S314 — made above


class TestAxis:
    @pytest.mark.parametrize(
        ("value", "share"), [(0.0, 0.0), (1.0, 0.5), (2.0, 1.0), (9.0, 1.0), (-1.0, 0.0)]
    )
    def test_puts_what_lies_outside_on_its_edge(self, value: float, share: float) -> None:
        assert Axis("", 0.0, 2.0).share(value) == pytest.approx(share)

    def test_goes_by_powers_of_ten(self) -> None:
        axis = Axis("", 1e-4, 1.0, is_log=True)
        assert axis.share(1e-2) == pytest.approx(0.5)
        assert axis.ticks == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])

    def test_has_ticks_at_round_values_below_zero_too(self) -> None:
        assert Axis("", -2.6, 4.1).ticks == pytest.approx([-2.0, 0.0, 2.0, 4.0])


class TestChart:
    def test_joins_points_from_one_corner_to_the_other(self) -> None:
        line = drawn().find(f"{SVG}polyline")
        assert line is not None
        assert line.get("points") == "64.0,16.0 622.0,316.0"

    def test_names_every_curve_and_says_what_it_shows(self) -> None:
        told = ["".join(one.itertext()) for one in drawn().iter(f"{SVG}text")]
        assert {"found", "seen", "likely", "review", "strength", "share"} <= set(told)
        assert drawn().findtext(f"{SVG}title") == "Shares"

    def test_is_broken_by_no_label(self) -> None:
        told = ["".join(one.itertext()) for one in drawn('<script> & "x"').iter(f"{SVG}text")]
        assert '<script> & "x"' in told

    def test_brings_its_colours_where_it_stands_alone(self) -> None:
        assert drawn(alone=True).find(f"{SVG}style") is not None
        assert drawn().find(f"{SVG}style") is None

    def test_tells_strokes_apart_without_colour(self) -> None:
        assert len(set(STROKES.values())) == len(STROKES)


class TestIntervals:
    def rows(self, *labels: str) -> ElementTree.Element:
        drawn = [Interval(label, 0.1, 0.05, 0.2, "3 of 30") for label in labels]
        said = intervals("Shares", drawn, x=Axis("share", 0.0, 0.4), mark=Mark("promised", 0.1), alone=True)
        return ElementTree.fromstring(said)  # noqa: S314 — made above

    def test_give_each_figure_a_row_of_its_own_with_name_and_note(self) -> None:
        chart = self.rows("ambient", "rock & <roll>")
        words = [one.text for one in chart.iter(f"{SVG}text")]
        assert "rock & <roll>" in words
        assert words.count("3 of 30") == 2
        dots = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in chart.iter(f"{SVG}circle")]
        assert dots[0][0] == dots[1][0]
        assert dots[0][1] < dots[1][1] < float(chart.attrib["viewBox"].split()[3])

    def test_draw_a_whisker_from_the_low_to_the_high_end(self) -> None:
        chart = self.rows("ambient")
        (dot,) = chart.iter(f"{SVG}circle")
        ends = [path.attrib["d"] for path in chart.iter(f"{SVG}path")][-1]
        first, last = float(ends[1:].split()[0]), float(ends.split("H")[1])
        assert first < float(dot.attrib["cx"]) < last
        assert (float(dot.attrib["cx"]) - first) * 2 == pytest.approx(last - float(dot.attrib["cx"]), abs=0.3)
