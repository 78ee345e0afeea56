"""What happens to pixels between the data set and the network while training."""

import keras

# An eighth of 32 px is the crop with padding 4 of the CIFAR recipes.
SHIFT = 0.125


def augmentation_layers(augmentation: str) -> list[keras.layers.Layer]:
    """Return the Keras layers of an augmentation of `Recipe`, for pixels in [0, 255].

    They change each image independently, only in training, on every backend.
    """
    layers: list[keras.layers.Layer] = []
    if augmentation == "rotate_shift_flip_contrast":
        layers = [
            keras.layers.RandomRotation(0.15, name="rotate"),
            keras.layers.RandomTranslation(0.1, 0.1, name="shift"),
            keras.layers.RandomFlip("horizontal", name="flip"),
            keras.layers.RandomContrast(0.1, value_range=(0, 255), name="contrast"),
        ]
    if augmentation.startswith("shift"):
        layers.append(
            keras.layers.RandomTranslation(
                SHIFT, SHIFT, fill_mode="constant", interpolation="nearest", name="shift"
            )
        )
    if augmentation.startswith("shift_flip"):
        layers.append(keras.layers.RandomFlip("horizontal", name="flip"))
    if augmentation == "shift_flip_erase":
        # A single number would be the largest probability, not the probability.
        half = (0.5, 0.5)
        layers.append(
            keras.layers.RandomErasing(half, scale=(0.02, 0.33), fill_value=127.5, name="erase")
        )
    if keras.backend.backend() == "jax":
        for layer in layers:
            # Keras marks rotations and translations as not compilable, which is true on TensorFlow
            # only, and would then run the whole network operation by operation.
            layer.supports_jit = True
    return layers


def with_preparation(
    model: keras.Model, augmentation: str, input_range: tuple[float, float]
) -> keras.Model:
    """Return a model that augments and scales pixels first, and shares the weights of `model`.

    Args:
        model: takes scaled pixels, shape (n, height, width, 3).
        augmentation: one of `Recipe`'s.
        input_range: what pixels 0 and 255 become for `model`.

    Returns:
        A model that takes pixels as uint8 in [0, 255], shape (n, height, width, 3).
    """
    low, high = input_range
    pixels = keras.Input(model.input_shape[1:], dtype="uint8", name="pixels")
    x = keras.layers.Rescaling(1.0, name="to_float")(pixels)
    for layer in augmentation_layers(augmentation):
        x = layer(x)
    x = keras.layers.Rescaling((high - low) / 255.0, offset=low, name="scale")(x)
    return keras.Model(pixels, model(x), name=f"{model.name}_in_training")
