"""Run all benchmarks."""

from benchmarks import budgets, kills, rules, scaling, speed

if __name__ == "__main__":
    budgets.main()
    rules.main()
    kills.main()
    speed.main()
    scaling.main()
