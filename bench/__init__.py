"""`make bench`: how fast Parley is, against the physical limit and against what people would run instead.

Nothing of it is used by the server, the tests or the fault rig, and it uses nothing of the latter two.
"""
