"""Settings: what there is, where a value came from, and the files they live in.

``settings`` declares them, ``kinds`` checks values, ``files`` reads and writes. Below everything that is configured.
"""

from __future__ import annotations

from finestflow.config.files import find_project_file, load_config, write_setting
from finestflow.config.kinds import parse_duration, parse_size
from finestflow.config.settings import (
    PROJECT_FILE,
    Config,
    GcConfig,
    MetricsConfig,
    PipelineConfig,
    RunConfig,
    Setting,
    SnapshotConfig,
    Source,
    StoreConfig,
    iter_settings,
    json_schema,
)

__all__ = [
    "PROJECT_FILE",
    "Config",
    "GcConfig",
    "MetricsConfig",
    "PipelineConfig",
    "RunConfig",
    "Setting",
    "SnapshotConfig",
    "Source",
    "StoreConfig",
    "find_project_file",
    "iter_settings",
    "json_schema",
    "load_config",
    "parse_duration",
    "parse_size",
    "write_setting",
]
