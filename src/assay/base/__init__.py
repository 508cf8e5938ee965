"""What every room needs and that knows nothing of images: names, errors, files, signals, the device, statistics."""
