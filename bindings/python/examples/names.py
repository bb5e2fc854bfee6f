"""Tell the language of a name by its letters: names.py [FOLDER], of files LANGUAGE.txt with a name in each line.

Without a folder it has a few names of its own.
"""

import pathlib
import sys

import librnn
import numpy as np

OWN = {
    "Italian": "Rossi Bianchi Romano Ricci Marino Greco Bruno Gallo Conti Esposito Giordano Rizzo Lombardi Moretti "
               "Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini Leone Longo Gentile Martinelli",
    "Polish": "Nowak Kowalski Wisniewski Wojcik Kowalczyk Kaminski Lewandowski Zielinski Szymanski Wozniak Dabrowski "
              "Kozlowski Jankowski Mazur Wojciechowski Kwiatkowski Krawczyk Kaczmarek Piotrowski Grabowski Zajac "
              "Pawlowski Michalski Krol Wieczorek Jablonski",
    "Japanese": "Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato Yoshida Yamada Sasaki "
                "Yamaguchi Matsumoto Inoue Kimura Hayashi Shimizu Yamazaki Mori Abe Ikeda Hashimoto Ishikawa Ogawa"}


def read(folder):
    if folder is None:
        return {language: names.split() for language, names in OWN.items()}
    return {path.stem: path.read_text(encoding="utf-8").split("\n") for path in sorted(folder.glob("*.txt"))}


def main():
    groups = read(pathlib.Path(sys.argv[1]) if sys.argv[1:] else None)
    languages = list(groups)
    pairs = [(name.strip(), i) for i, names in enumerate(groups.values()) for name in names if name.strip()]
    np.random.default_rng(1).shuffle(pairs)
    alphabet = sorted({letter for name, _ in pairs for letter in str(name)})
    names = [[alphabet.index(letter) for letter in str(name)] for name, _ in pairs]  # ragged
    labels = np.array([int(label) for _, label in pairs])
    cut = len(names) * 4 // 5

    net = librnn.Network(len(alphabet), 32, len(languages), cell="lstm", seed=1)
    net.fit(names[:cut], labels[:cut], pooling="last", validation=(names[cut:], labels[cut:]), epochs=30,
            learning_rate=0.01, clip_norm=1, patience=8, restore_best=True)
    result = net.evaluate(names[cut:], labels[cut:], pooling="last")
    print(f"{len(names) - cut} names that were not trained on: of {result.accuracy:.0%} the language is right")
    for name, y in list(zip(pairs[cut:], net(names[cut:], pooling="last")))[:5]:
        print(f"{name[0]:15} {languages[y.argmax()]}")
    assert result.accuracy > 1.5 / len(languages)


main()
