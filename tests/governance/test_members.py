import pytest
from django.utils import timezone

from governance import services
from governance.models import Organisation, Role


@pytest.mark.django_db
class TestAddMember:
    def test_gives_the_first_named_organisation_what_commands_registered(self) -> None:
        before = services.home_organisation(services.system_user())

        member = services.add_member(
            username="olga",
            organisation="Acme",
            role=Role.COMPLIANCE_OFFICER,
            by=services.system_user(),
            now=timezone.now(),
        )

        assert member.organisation == before
        assert member.organisation.name == "Acme"
        assert services.home_organisation(services.system_user()) == before

    def test_leaves_an_organisation_with_members_alone(self) -> None:
        for number, name in enumerate(("Acme", "Label")):
            services.add_member(
                username=f"person-{number}",
                organisation=name,
                role=Role.LABEL_AUDITOR,
                by=services.system_user(),
                now=timezone.now(),
            )

        assert Organisation.objects.filter(name__in=["Acme", "Label"]).count() == 2
