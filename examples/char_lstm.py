"""Learn to write from a text, letter by letter, with a recurrent network; then let it write.

    python examples/char_lstm.py                  "Hamlet", which comes with tensorgrad
    python examples/char_lstm.py FILE             a text file of yours (UTF-8)

An LSTM reads windows of 64 letters and guesses, at each place, the letter that comes next.  In
less than a minute it learns who speaks in the play, and how lines and words are spelt, but not what
they mean.  Prints what the network writes, and saves the curves into out/char_lstm.
"""

import argparse
import os
from pathlib import Path

# Products this small gain little from a second thread, and lose much where the cores are busy with
# other programs.  NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.data import shakespeare
from tensorgrad.train import fit

WINDOW = 64


class CharLSTM(nn.Module):
    """Scores of the next letter, for each place in windows of letters."""

    def __init__(self, letters, hidden, rng):
        self.embedding = nn.Embedding(letters, 32, rng=rng)
        self.lstm = nn.LSTM(32, hidden, batch_first=True, rng=rng)
        self.dropout = nn.Dropout(0.25, rng=rng)
        self.head = nn.Linear(hidden, letters, rng=rng)

    def forward(self, codes):
        return self.read(codes)[0]

    def read(self, codes, state=None):
        """Return the scores, and the state after the last letter."""
        out, state = self.lstm(self.embedding(codes), state)
        return self.head(self.dropout(out)), state


def windows(codes, step):
    """Cut windows that start every `step` letters: what is read, and what comes next."""
    cut = np.lib.stride_tricks.sliding_window_view(codes, WINDOW + 1)[::step]
    return cut[:, :-1], cut[:, 1:]


@tg.no_grad()
def write(model, start, count, rng, temperature=0.7):
    """Read some codes, then draw more; a temperature below 1 favours the likely ones."""
    model.eval()
    codes = list(start)
    scores, state = model.read(np.array([codes]))
    while len(codes) < len(start) + count:
        chances = tg.softmax(scores[0, -1].astype(float) / temperature).data
        codes.append(rng.choice(len(chances), p=chances))
        scores, state = model.read(np.array([codes[-1:]]), state)
    return codes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", type=Path, help="a text file to learn from")
    parser.add_argument("--hidden", type=int, default=160, help="units of the LSTM")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("out/char_lstm"), help="for the results")
    parser.add_argument("--quick", action="store_true", help="5,000 letters, 1 epoch, 16 units")
    args = parser.parse_args()

    text = args.text.read_text("utf-8") if args.text else shakespeare()
    epochs, hidden = args.epochs, args.hidden
    if args.quick:
        text, epochs, hidden = text[:5000], 1, 16
    if len(text) < 20 * WINDOW:
        parser.error(f"the text has {len(text)} letters; expected {20 * WINDOW} or more")
    letters, codes = np.unique(list(text), return_inverse=True)
    split = len(codes) * 9 // 10

    rng = np.random.default_rng(0)
    model = CharLSTM(len(letters), hidden, rng)
    print(model)
    history = fit(
        model,
        windows(codes[:split], step=16),
        loss=nn.cross_entropy,
        optimizer=optim.AdamW(model.parameters(), lr=4e-3),
        epochs=epochs,
        batch_size=32,
        validation=windows(codes[split:], step=WINDOW),
        rng=rng,
    )

    bits = history["val_loss"][-1] / np.log(2)
    blind = np.log2(len(letters))
    print(f"{bits:.2f} bits per letter of the last tenth; a blind guess takes {blind:.2f}")
    args.out.mkdir(parents=True, exist_ok=True)
    history.plot(args.out / "history.png")
    written = write(model, codes[split : split + WINDOW], 100 if args.quick else 600, rng)
    print("--- and now the network writes ---")
    print("".join(letters[written[WINDOW:]]))
    print("---")
    print(f"the curves are in {args.out}")


if __name__ == "__main__":
    main()
