"""Named conditions of a measurement: how long everything takes, always the same.

`instant`: tasks end at once and answers come at once; what is left is the client's own time.
`node`: PVE seconds are real ones. Where the numbers are from, with the constants that hold them:

- an answer takes 20 ms; a linked clone 1.65 s, a full one 2.35 s and 400 MiB a second, and both hold the datastore's
  lock for a part of it (`clones.py`, `disks.py`): measured on a node with two cores;
- a lock that is not free is waited for ten seconds (`locks.py`), `/cluster/resources` lags ten seconds (`cluster.py`):
  measured on the same node;
- start, stop, shutdown, reboot (`power.py`), create and destroy (`guests.py`), resize and config tasks (`config.py`),
  migration (`migrate.py`): not timed there; estimates for a small node.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """Real seconds per PVE second, and seconds that every answer takes."""

    time_scale: float
    latency: float


CONDITIONS = {"instant": Conditions(0, 0), "node": Conditions(1, 0.02)}
