"""Adapters for training frameworks: each reports all that its framework measures, and raises nothing into the training.

`training` decides which epoch a measurement is; `hooks` adds the adapters to a script that knows nothing of them. Each
other module is for one framework, and imports it; importing this package imports none.
"""
