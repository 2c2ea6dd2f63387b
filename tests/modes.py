"""How tests compile what they evaluate a few times."""

from pytensor.compile.mode import Mode

# The graph as it is written: for a few calls, rewriting it costs far more than it saves.
AS_WRITTEN = Mode(linker="py", optimizer=None)
