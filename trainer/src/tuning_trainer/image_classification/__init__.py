"""Image classification: a ResNet or a small CNN on a folder of images or on Fashion-MNIST's files.

Run it as `python -m tuning_trainer.image_classification --data FOLDER`. Hyperparameters have the names and, where
there is one, the meaning of Amazon SageMaker's image classification algorithm.
"""
