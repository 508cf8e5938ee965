"""Images: where they come from, how they are decoded and split, and how they become batches."""
