"""What networks get wrong: mistakes, confusions, calibration, labels that are likely wrong."""
