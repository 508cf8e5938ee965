"""The loss's surface in the probed runs of a study: three measures in two forms, and the claims made of batch norm."""
