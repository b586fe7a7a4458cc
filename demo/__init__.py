"""The demo: installs everything into the test cluster, runs the example job and shows it."""
