"""Runs that assay did not make: their logs and tables read, and their scores compared like a study's rows."""
