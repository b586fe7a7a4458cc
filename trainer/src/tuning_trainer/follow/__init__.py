"""Reports for a training that only writes a log: follows a file and finds the metrics in what is written.

Runs beside the training, as a sidecar container that shares a volume with it. `lines` reads, `objects` and `patterns`
parse, `epochs` decides which value belongs to which epoch and when it is final, `notes` says what could not be used.
Of TensorBoard's event files `eventfiles` and `records` read, `events` parses, and `steps` decides.
"""
