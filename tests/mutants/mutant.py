# SPDX-License-Identifier: MIT
"""A mutant is its name, a pattern of tests, and pairs (old, new): `old` stands
exactly once in worker/, tokend/, common/ and supervisor/. Of several pairs one
applies, so that a mutant can know the code of more than one form of a rule; of
a Wall's all apply, since some walls have layers. All text is code as
clang-format leaves it."""


class Mutant:
    layers = False

    def __init__(self, name, tests, *pairs):
        self.name, self.tests, self.pairs = name, tests, pairs


class Wall(Mutant):
    layers = True


def without(old):
    return old, ""
