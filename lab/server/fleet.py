"""Collections that stay fast with thousands of VMs: what is asked for again and again is worked out once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any


class Config(dict):
    """A VM's config that remembers what was worked out from it until it changes."""

    def __init__(self, *values):
        super().__init__(*values)
        self.known: dict[str, Any] = {}

    def once(self, name: str, work: Callable[[Config], Any]) -> Any:
        """The result of `work`; it must not be changed by who gets it."""
        if name not in self.known:
            self.known[name] = work(self)
        return self.known[name]

    def __setitem__(self, key, value):
        self.known = {}
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self.known = {}
        super().__delitem__(key)

    def pop(self, *arguments):
        self.known = {}
        return super().pop(*arguments)

    def update(self, *arguments, **more):
        self.known = {}
        super().update(*arguments, **more)

    def setdefault(self, *arguments):
        self.known = {}
        return super().setdefault(*arguments)

    def clear(self):
        self.known = {}
        super().clear()


class VmList(list):
    """The VMs, found by their VMID."""

    def __init__(self):
        super().__init__()
        self.by_id: dict[int, Any] = {}

    def append(self, vm):
        self.by_id[vm.vmid] = vm
        super().append(vm)

    def remove(self, vm):
        super().remove(vm)
        if self.by_id.get(vm.vmid) is vm:
            del self.by_id[vm.vmid]


class VolumeTable(dict):
    """The volumes of one place by name; knows their sum, whose they are and which are bases."""

    def __init__(self):
        super().__init__()
        self.used = 0
        self.names: dict[int, set[str]] = {}
        self.parents: Counter[str] = Counter()

    def __setitem__(self, name, volume):
        self.pop(name, None)
        self.used += volume.used
        self.names.setdefault(volume.vmid, set()).add(name)
        if volume.parent:
            self.parents[volume.parent] += 1
        super().__setitem__(name, volume)

    def pop(self, name, *default):
        volume = super().pop(name, *default)
        if volume is not None and volume not in default:
            self.used -= volume.used
            self.names[volume.vmid].discard(name)
            if not self.names[volume.vmid]:
                del self.names[volume.vmid]
            if volume.parent:
                self.parents[volume.parent] -= 1
        return volume

    def set_used(self, name: str, used: int) -> None:
        """So many bytes of a volume are written to."""
        self.used += used - self[name].used
        self[name].used = used
