"""The version of assay."""

VERSION = "0.1.0"
