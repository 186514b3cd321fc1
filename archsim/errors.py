"""The errors that a user can meet: what was expected, what came, where, and what to change."""

from __future__ import annotations

MAX_SHOWN = 400  # characters of a value in a message


def shown(value: object) -> str:
    """Return a value's ``repr``, without the middle if it is long."""
    text = repr(value)
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[: MAX_SHOWN // 2]}...{text[-20:]} ({len(text):,} characters)"


class ArchsimError(Exception):
    """Base of every error that archsim raises on purpose.

    Attributes
    ----------
    exit_code
        What the command line exits with: 1 failed or infeasible, 2 refused input.
    """

    exit_code = 1


class InputError(ArchsimError):
    """Input that was refused: a design, model, trace, sweep or argument.

    Parameters
    ----------
    where
        Place of the fault: ``file:line: path`` as far as known.
    expected
        What was expected, as a phrase that follows the place: ``rows must be a positive integer``.
    got
        What came; printed with ``repr``.
    fix
        What to change, if there is something to say beyond ``expected``.
    """

    exit_code = 2

    def __init__(self, where: str, expected: str, *got: object, fix: str = "") -> None:
        text = f"{where}: {expected}"
        if got:
            text += f", not {shown(got[0])}"
        if fix:
            text += f"; {fix}"
        super().__init__(text)


class InfeasibleError(ArchsimError):
    """A well-formed question with no answer: a point that no hardware could be.

    Parameters
    ----------
    what
        What does not fit, naming the op or engine.
    demand, bound, unit
        How much it needs and how much there is.
    levers
        Changes that would make it fit.
    """

    def __init__(
        self, what: str, *, demand: float, bound: float, unit: str, levers: tuple[str, ...] = ()
    ) -> None:
        self.what, self.demand, self.bound, self.unit, self.levers = (
            what, demand, bound, unit, levers,
        )  # fmt: skip
        text = f"{what} needs {demand:,} {unit}, and there are {bound:,}"
        if levers:
            text += "; " + " or ".join(levers)
        super().__init__(text)


class MissingExtra(ArchsimError):
    """An optional dependency that is not installed."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'archsim[{extra}]'")
