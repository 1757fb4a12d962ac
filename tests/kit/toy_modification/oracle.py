"""ReLU² in plain Python, slow and simple."""


def relu2(z: float) -> float:
    return max(z, 0.0) ** 2


if __name__ == "__main__":
    print(" ".join(f"{relu2(z):.2f}" for z in (-1.0, 0.5, 2.0)))
