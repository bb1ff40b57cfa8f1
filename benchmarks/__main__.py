"""Run all benchmarks."""

from benchmarks import budgets, rules, scaling, speed

if __name__ == "__main__":
    budgets.main()
    rules.main()
    speed.main()
    scaling.main()
