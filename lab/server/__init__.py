"""The lab: a Proxmox VE cluster that is not real but strict.

A process of its own around fakepve (AGPL-3.0-or-later). Each module puts right one thing that fakepve leaves out or
answers differently from a real node; `pve.py` joins them, `__main__.py` runs them.
"""
