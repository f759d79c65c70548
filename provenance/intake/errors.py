"""What can be wrong with a source as a whole. A bad row is not an error: it is a record with problems."""


class IntakeError(Exception):
    """The source can't be read at all; says what is wrong, where, and what to do."""


class UnknownFormat(IntakeError):
    """Nothing here recognises the source."""


class MissingColumns(IntakeError):
    """A table lacks columns that every row needs; all of them are named at once."""


class BadEncoding(IntakeError):
    """A text file is not UTF-8."""


class UnsafeArchive(IntakeError):
    """An archive holds links, devices or climbing paths, or unpacks to more than the limits allow."""
