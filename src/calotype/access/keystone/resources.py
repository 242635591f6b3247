"""Unified limits: what a Keystone lets each project have (spec: image-v2 5).

A limit is a project's own, else the registered default of the image service. `limits.py` reads them,
`kept_limits.py` keeps them for a while.
"""

from collections.abc import Mapping

RESOURCES = ("image_count_total", "image_count_uploading", "image_size_total", "image_stage_total")
"""The limits of the image service, in the order in which they are told: images, or MiB."""

Limits = Mapping[str, int]
"""Limits by resource; negative is unlimited. All of RESOURCES are there."""
