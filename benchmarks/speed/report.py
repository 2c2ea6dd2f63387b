"""CPU time of a report of the bundled fit, of which nothing has been asked before.

    python benchmarks/speed/report.py [--rounds 5]

Quoted is the smallest of some rounds in one process, which has drawn a report already: imports,
fonts and templates are loaded once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import bayescausal as bc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    example = bc.load_example()
    with tempfile.TemporaryDirectory() as folder:
        saved, page = Path(folder) / "fit.nc", Path(folder) / "report.html"
        bc.fit(example.spec, example.data, seed=1, progress=False).save(saved)
        seconds = []
        for _ in range(1 + rounds):
            fit = bc.load(saved)
            before = time.process_time()
            bc.report(fit, page)
            seconds.append(time.process_time() - before)
    print(f"first in the process {seconds[0]:.2f} s of CPU, then {min(seconds[1:]):.2f} s")


if __name__ == "__main__":
    main()
