"""Two wrong activations. Which of your tests catches which?"""


def a(z: float) -> float:
    return z**2


def b(z: float) -> float:
    return max(z, 0.0)


if __name__ == "__main__":
    print("a fails:", "negative" if a(-1.0) else "none")
    print("b fails:", "square" if b(2.0) != 4.0 else "none")
