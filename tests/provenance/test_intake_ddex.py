"""What an ERN 4.3 message says of shares, identifiers and deals; and what is refused of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from provenance.intake.errors import IntakeError
from provenance.intake.formats import open_intake
from provenance.intake.record import IntakeRecord
from provenance.models import Party, RecordingIdentifier, RightsClaim
from provenance.rights.clearance import clear
from provenance.rights.values import PURPOSES, Claim, RecordingRights, Use
from tests.catalogues import register
from tests.people import found_people

RECORDING = """
  <SoundRecording>
   <ResourceReference>A1</ResourceReference>
   <DisplayTitleText>Night Song</DisplayTitleText>
   <DisplayArtistName>Ann Singer</DisplayArtistName>
   <Contributor><ContributorPartyReference>P2</ContributorPartyReference><Role>Composer</Role></Contributor>
   {controllers}
   <SoundRecordingEdition>
    <ResourceId><ISRC>USRC17607839</ISRC></ResourceId><ResourceId><ISRC>USRC1</ISRC></ResourceId>
    <PLine><PLineText>(P) 2019 Fine Label</PLineText></PLine>
   </SoundRecordingEdition>
  </SoundRecording>"""
MESSAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ern:NewReleaseMessage xmlns:ern="{namespace}">
 <PartyList>
  <Party><PartyReference>P1</PartyReference><PartyId><DPID>PADPIDA3897722461G</DPID></PartyId>
   <PartyName><FullName>Fine Label</FullName></PartyName></Party>
  <Party><PartyReference>P2</PartyReference><PartyId><ISNI>000000012281955X</ISNI>
   <IpiNameNumber>00014107339</IpiNameNumber></PartyId><PartyName><FullName>Bea Writer</FullName></PartyName></Party>
 </PartyList>
 <ResourceList>{recording}</ResourceList>
 <ReleaseList><Release><ReleaseReference>R0</ReleaseReference>
  <ReleaseId><GRid>A12425GABC1234002M</GRid><ICPN>4006381333932</ICPN></ReleaseId>
  <ResourceGroup><ReleaseResourceReference>A1</ReleaseResourceReference></ResourceGroup></Release></ReleaseList>
 <DealList>{deals}</DealList>
</ern:NewReleaseMessage>"""
CONTROLLERS = """
   <ResourceRightsController><RightsControllerPartyReference>P1</RightsControllerPartyReference>
    <RightsControlType>RightsController</RightsControlType><RightSharePercentage>60</RightSharePercentage>
    <TerritoryCode>DE</TerritoryCode><TerritoryCode>FR</TerritoryCode>
    <StartDate>2020-01-01</StartDate><EndDate>2026-12-31</EndDate></ResourceRightsController>
   <WorkRightsController><RightsControllerPartyReference>P2</RightsControllerPartyReference>
    <RightsControlType>RoyaltyAdministrator</RightsControlType>
    <RightSharePercentage HasMaxValueOfOne="true">0.333333</RightSharePercentage></WorkRightsController>"""


def deal(place: str, end: str = "", uses: str = "Stream") -> str:
    ends = f"<EndDate>{end}</EndDate>" if end else ""
    return (
        "<ReleaseDeal><DealReleaseReference>R0</DealReleaseReference><Deal><DealTerms>"
        f"<TerritoryCode>{place}</TerritoryCode><ValidityPeriod><StartDate>2020-01-01</StartDate>{ends}</ValidityPeriod>"
        f"<CommercialModelType>SubscriptionModel</CommercialModelType><UseType>{uses}</UseType>"
        "</DealTerms></Deal></ReleaseDeal>"
    )


def message(
    folder: Path,
    *,
    controllers: str = CONTROLLERS,
    deals: str = "",
    namespace: str = "http://ddex.net/xml/ern/43",
) -> Path:
    path = folder / "message.xml"
    recording = RECORDING.format(controllers=controllers)
    path.write_text(MESSAGE.format(namespace=namespace, recording=recording, deals=deals), encoding="utf-8")
    return path


def read(path: Path) -> IntakeRecord:
    with open_intake(path) as intake:
        (record,) = intake.records()
    return record


class TestRightsControllers:
    def test_become_claims_with_share_place_and_time(self, tmp_path: Path) -> None:
        record = read(message(tmp_path))
        assert record.claims is not None
        master, work, credit = [one.claim for one in record.claims]
        period = (date(2020, 1, 1), date(2027, 1, 1))
        assert master == Claim(
            "master", "Fine Label", 60.0, "rights_controller", ("DE", "FR"), *period, "rights_holder"
        )
        assert (work.right, work.party, work.share, work.role) == (
            "composition",
            "Bea Writer",
            33.3333,
            "royalty_administrator",
        )
        assert credit.is_credit

    def test_without_a_share_leave_it_unstated(self, tmp_path: Path) -> None:
        bare = "<ResourceRightsController><RightsControllerPartyReference>P1</RightsControllerPartyReference>"
        record = read(message(tmp_path, controllers=f"{bare}</ResourceRightsController>"))
        assert record.claims is not None
        assert (record.claims[0].claim.share, record.claims[0].claim.role) == (None, "owner")

    def test_that_are_absent_leave_the_p_line_to_say_who_owns_it(self, tmp_path: Path) -> None:
        record = read(message(tmp_path, controllers=""))
        assert (record.claims, record.master_owner) == (None, "Fine Label")

    @pytest.mark.parametrize("share", ["0", "-5", "140", "half"])
    def test_reject_the_row_of_an_impossible_share(self, tmp_path: Path, share: str) -> None:
        record = read(message(tmp_path, controllers=CONTROLLERS.replace(">60<", f">{share}<")))
        assert any("share" in problem for problem in record.problems)


class TestIdentifiers:
    def test_of_recording_release_and_parties_are_kept_also_when_invalid(self, tmp_path: Path) -> None:
        record = read(message(tmp_path))
        assert [(one.scheme, one.written) for one in record.identifiers] == [
            ("isrc", "USRC1"),
            ("grid", "A12425GABC1234002M"),
            ("ean", "4006381333932"),
        ]
        assert sum("is not valid" in note for note in record.notes) == 2
        assert record.party_ids["Bea Writer"] == {"isni": "000000012281955X", "ipi_name": "00014107339"}


TWO_TRACKS = """<?xml version="1.0" encoding="UTF-8"?>
<ern:NewReleaseMessage xmlns:ern="http://ddex.net/xml/ern/43">
 <PartyList><Party><PartyReference>P1</PartyReference>
   <PartyName><FullName>Fine Label</FullName></PartyName></Party></PartyList>
 <ResourceList>
  <SoundRecording><ResourceReference>A1</ResourceReference><DisplayTitleText>One</DisplayTitleText>
   <DisplayArtistName>Erste</DisplayArtistName>
   <DisplayArtistName IsDefault="true">First</DisplayArtistName></SoundRecording>
  <SoundRecording><ResourceReference>A2</ResourceReference><DisplayTitleText>Two</DisplayTitleText></SoundRecording>
 </ResourceList>
 <ReleaseList>
  <Release><ReleaseReference>R0</ReleaseReference><ReleaseId><ICPN>4006381333931</ICPN></ReleaseId>
   <ReleaseLabelReference>P1</ReleaseLabelReference><ResourceGroup>
   <ReleaseResourceReference>A1</ReleaseResourceReference><ReleaseResourceReference>A2</ReleaseResourceReference>
   </ResourceGroup></Release>
  <TrackRelease><ReleaseReference>R1</ReleaseReference><ReleaseId><GRid>A12425GABC1234002M</GRid></ReleaseId>
   <ReleaseResourceReference>A1</ReleaseResourceReference><Genre><GenreText>Jazz</GenreText></Genre></TrackRelease>
 </ReleaseList>
 <DealList>
  <ReleaseDeal><DealReleaseReference>R1</DealReleaseReference><Deal><DealTerms><TerritoryCode>DE</TerritoryCode>
   <UseType UserDefinedValue="LoopPack">UserDefined</UseType></DealTerms></Deal></ReleaseDeal>
 </DealList>
</ern:NewReleaseMessage>"""


class TestSeveralReleases:
    @pytest.fixture
    def tracks(self, tmp_path: Path) -> list[IntakeRecord]:
        path = tmp_path / "album.xml"
        path.write_text(TWO_TRACKS, encoding="utf-8")
        with open_intake(path) as intake:
            return list(intake.records())

    def test_give_a_track_its_own_deals_and_identifiers_alone(self, tracks: list[IntakeRecord]) -> None:
        one, two = tracks
        assert [said.territory for said in one.statements] == [("DE",)]
        assert two.statements == ()
        assert [id.scheme for id in one.identifiers] == ["ean", "grid"]
        assert [id.scheme for id in two.identifiers] == ["ean"]
        assert (one.genre, two.genre) == ("Jazz", "")

    def test_name_the_label_where_no_p_line_does(self, tracks: list[IntakeRecord]) -> None:
        assert [one.master_owner for one in tracks] == ["Fine Label", "Fine Label"]

    def test_are_read_in_the_language_marked_as_default(self, tracks: list[IntakeRecord]) -> None:
        assert tracks[0].artist == "First"

    def test_tell_tracks_without_isrc_from_those_of_other_messages(self, tracks: list[IntakeRecord]) -> None:
        assert [one.external_id for one in tracks] == ["4006381333931/A1", "4006381333931/A2"]

    def test_keep_the_senders_own_word_for_a_use(self, tracks: list[IntakeRecord]) -> None:
        assert tracks[0].statements[0].quote.endswith("UseType UserDefined (LoopPack)")


class TestOwnIds:
    def test_of_the_sender_stand_in_for_an_isrc(self, tmp_path: Path) -> None:
        path = tmp_path / "own.xml"
        own = "<ResourceId><ProprietaryId Namespace='DPID:PADPIDA3897722461G'>CAT-7</ProprietaryId></ResourceId>"
        track = "<DisplayTitleText>Two</DisplayTitleText>"
        path.write_text(TWO_TRACKS.replace(track, own + track), encoding="utf-8")
        with open_intake(path) as intake:
            assert [one.external_id for one in intake.records()] == ["4006381333931/A1", "CAT-7"]


class TestDeals:
    def test_of_several_places_stand_side_by_side(self, tmp_path: Path) -> None:
        record = read(message(tmp_path, deals=deal("DE") + deal("US", "2030-01-01") + deal("DE")))
        assert [one.expression for one in record.statements] == [
            "LicenseRef-ddex-deal",
            "LicenseRef-ddex-deal-2",
        ]
        assert [one.territory for one in record.statements] == [("DE",), ("US",)]
        assert record.statements[1].valid_until == date(2030, 1, 2)

    @pytest.mark.parametrize("purpose", PURPOSES)
    def test_never_permit_training_whatever_they_call_their_use(self, tmp_path: Path, purpose: str) -> None:
        record = read(message(tmp_path, deals=deal("Worldwide", uses="AiTraining")))
        use = Use(purpose, territory="DE")  # type: ignore[arg-type]
        assert clear(RecordingRights(record.statements), use).answer == "unknown"
        assert "<UseType>AiTraining</UseType>" in record.statements[0].raw


class TestRegistering:
    @pytest.mark.django_db
    def test_writes_claims_identifiers_and_parties(self, tmp_path: Path) -> None:
        people = found_people()
        path = message(tmp_path, deals=deal("DE") + deal("US"))
        done = register("label", path, people.steward, people.house)
        assert (done.n_registered, done.n_rejected) == (1, 0)
        assert RightsClaim.objects.get(right="master").share_percent == 60
        assert RightsClaim.objects.filter(right="composition").count() == 2
        assert Party.objects.get(name="Fine Label").dpid == "PADPIDA3897722461G"
        assert dict(RecordingIdentifier.objects.values_list("scheme", "is_valid")) == {
            "isrc": False,
            "grid": True,
            "ean": False,
        }
        again = register("label", path, people.steward, people.house)
        assert (again.n_registered, again.n_duplicate, RightsClaim.objects.count()) == (0, 1, 3)


class TestRefusal:
    @pytest.mark.parametrize(
        ("namespace", "version"),
        [
            ("http://ddex.net/xml/ern/411", "4.1.1"),
            ("http://ddex.net/xml/ern/41", "4.1"),
            ("http://ddex.net/xml/ern/38", "3.8"),
            ("http://ddex.net/xml/ern/383", "3.8.3"),
        ],
    )
    def test_names_another_version(self, tmp_path: Path, namespace: str, version: str) -> None:
        with pytest.raises(IntakeError, match=rf"is ERN {version}; ERN 4\.3 is read"):
            read(message(tmp_path, namespace=namespace))

    def test_says_that_there_is_nothing_to_register(self, tmp_path: Path) -> None:
        path = message(tmp_path)
        path.write_text(path.read_text().replace("SoundRecording", "Video"), encoding="utf-8")
        with pytest.raises(IntakeError, match="lists no SoundRecording in its ResourceList"):
            read(path)

    @pytest.mark.parametrize("namespace", ["http://ddex.net/xml/ern/43", "http://ddex.net/xml/ern/432"])
    def test_is_not_for_4_3(self, tmp_path: Path, namespace: str) -> None:
        assert not read(message(tmp_path, namespace=namespace)).problems

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (
                '<NewReleaseMessage xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="/etc/passwd"/>',
                "XInclude",
            ),
            ("<a>" * 3000, "nests more than"),
            ('<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>', "DTD or entities"),
            ('<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><NewReleaseMessage/>', "DTD or entities"),
            ('<?xml version="1.0" encoding="klingon"?><NewReleaseMessage/>', "XML|encoding"),
        ],
    )
    def test_says_in_a_sentence_what_a_message_may_not_hold(
        self, tmp_path: Path, text: str, says: str
    ) -> None:
        path = tmp_path / "m.xml"
        path.write_text(text)
        with pytest.raises(IntakeError, match=says):
            read(path)
