"""What can be wrong with a question, a policy or the catalogue itself."""


class RightsError(Exception):
    """Root of the errors of the rights engine."""


class CatalogueError(RightsError):
    """A licence file says something that can't be read; names the file and the field."""


class PolicyError(RightsError):
    """A clearance policy names a question, a reading, a licence or a condition that does not exist.

    ``where`` is the way to the place in the policy's JSON: keys and positions, outermost first.
    """

    def __init__(self, problem: str, where: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.where = where
