"""Pictures drawn from a seed: the bundled target sets, and the source world.

The targets (`flowers`, `cells`, `defects`) were drawn once, before any pretraining, and
are shipped with checksums in `data/images`; `bundle` draws them. The source world, on
which the bundled weights are trained, is drawn afresh at every step and shares no code
with the targets.
"""
