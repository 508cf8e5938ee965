"""What the probed runs of a study say of the loss's surface: batch norm's three measures, in both of their forms."""
