"""What is wrong with weights."""


class CheckpointError(ValueError):
    """Weights that cannot be used: a line on what was found, a line on what was expected and what to do."""


class MissingWeightsError(CheckpointError):
    """Weights that are not on this machine."""
