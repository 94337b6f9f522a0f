"""The build of minidl: that of setuptools, with a compiler from PyPI where the system has none."""

from __future__ import annotations

import os
import shutil
import sysconfig
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the hooks that stay as they are)


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What setuptools asks for, and a compiler."""
    return build_meta.get_requires_for_build_wheel(config_settings) + compiler()


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """What setuptools asks for, and a compiler."""
    return build_meta.get_requires_for_build_editable(config_settings) + compiler()


def compiler() -> list[str]:
    """A wheel with a C compiler, for builds alone, where there is none on the PATH."""
    named = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return [] if shutil.which(named.split()[0]) else ["ziglang"]
