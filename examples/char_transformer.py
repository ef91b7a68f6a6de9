"""Learn to write from a text, letter by letter, with a small transformer; then let it write.

    python examples/char_transformer.py           "Hamlet", which comes with tensorgrad
    python examples/char_transformer.py FILE      a text file of yours (UTF-8)

Two layers of causal attention read windows of 64 letters and guess, at each place, the letter that
comes next.  What attention does not know, the place of a letter, is added to its vector: sines and
cosines of many lengths, as in "Attention is all you need" (Vaswani et al., 2017).  Takes about a
minute; prints what the network writes, and saves the curves into out/char_transformer.
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


def places(count, features):
    """Return a vector for each place: sin and cos of place / 10000^(2k / features)."""
    angles = np.arange(count)[:, None] / 10000 ** (np.arange(0, features, 2) / features)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class CharTransformer(nn.Module):
    """Scores of the next letter, for each place in windows of letters."""

    def __init__(self, letters, features, layers, rng):
        self.embedding = nn.Embedding(letters, features, rng=rng)
        self.places = places(WINDOW, features)
        self.layers = [
            nn.TransformerEncoderLayer(
                features, nhead=4, dim_feedforward=4 * features, dropout=0.0,
                batch_first=True, norm_first=True, rng=rng,
            )
            for _ in range(layers)
        ]  # fmt: skip
        self.norm = nn.LayerNorm(features)
        self.head = nn.Linear(features, letters, rng=rng)

    def forward(self, codes):
        x = self.embedding(codes) + self.places[: codes.shape[1]]
        for layer in self.layers:
            x = layer(x, is_causal=True)
        return self.head(self.norm(x))


def windows(codes, step):
    """Cut windows that start every `step` letters: what is read, and what comes next."""
    cut = np.lib.stride_tricks.sliding_window_view(codes, WINDOW + 1)[::step]
    return cut[:, :-1], cut[:, 1:]


@tg.no_grad()
def write(model, start, count, rng, temperature=0.7):
    """Read some codes, then draw more; a temperature below 1 favours the likely ones."""
    model.eval()
    codes = list(start)
    while len(codes) < len(start) + count:
        scores = model(np.array([codes[-WINDOW:]]))
        chances = tg.softmax(scores[0, -1].astype(float) / temperature).data
        codes.append(rng.choice(len(chances), p=chances))
    return codes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", type=Path, help="a text file to learn from")
    parser.add_argument("--features", type=int, default=96, help="length of a vector")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("out/char_transformer"))
    parser.add_argument("--quick", action="store_true", help="5,000 letters, 1 epoch, 16 features")
    args = parser.parse_args()

    text = args.text.read_text("utf-8") if args.text else shakespeare()
    epochs, features = args.epochs, args.features
    if args.quick:
        text, epochs, features = text[:5000], 1, 16
    if len(text) < 20 * WINDOW:
        parser.error(f"the text has {len(text)} letters; expected {20 * WINDOW} or more")
    letters, codes = np.unique(list(text), return_inverse=True)
    split = len(codes) * 9 // 10

    rng = np.random.default_rng(0)
    model = CharTransformer(len(letters), features, args.layers, rng)
    print(model)
    history = fit(
        model,
        windows(codes[:split], step=32),
        loss=nn.cross_entropy,
        optimizer=optim.AdamW(model.parameters(), lr=4e-3),
        epochs=epochs,
        batch_size=16,
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
