"""Run all benchmarks."""

from benchmarks import budgets, scaling, speed

if __name__ == "__main__":
    budgets.main()
    speed.main()
    scaling.main()
