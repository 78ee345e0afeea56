"""What a person sees while a network trains."""

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def say(line: str) -> None:
    """Leave a line on standard error."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


class RichProgress(keras.callbacks.Callback):
    """Show a bar with the time left over all epochs, and leave a line for each epoch."""

    def __init__(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """Prepare the display.

        Args:
            name: what is trained.
            epochs: epochs of the whole run.
            steps_per_epoch: steps of each.
        """
        super().__init__()
        self.name = name
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(
            f"Training {name}", total=epochs * steps_per_epoch, figures=""
        )

    def say(self, line: str) -> None:
        """Leave a line above the bar."""
        self._console.print(line, highlight=False, soft_wrap=True)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the display at the first epoch run, which after a resume is not epoch 0."""
        self._progress.start()
        self._progress.update(
            self._task,
            completed=epoch * self.steps_per_epoch,
            description=f"Training {self.name}, epoch {epoch + 1}/{self.epochs}",
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Move the bar by one step."""
        self._progress.update(self._task, advance=1, figures=_figures(logs or {}))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Leave a line for the epoch."""
        self.say(f"epoch {epoch + 1}/{self.epochs}  {_figures(logs or {})}")

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Return the terminal back, also when training ended early."""
        self._progress.stop()


def _figures(logs: dict) -> str:
    return "  ".join(
        f"{name} {float(logs[name]):.4f}"
        for name in ("loss", "top1", "val_loss", "val_top1")
        if name in logs
    )
