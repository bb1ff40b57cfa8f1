"""Run all benchmarks."""

from benchmarks import budgets, kills, recovery, rules, scaling, speed, training

if __name__ == "__main__":
    budgets.main()
    rules.main()
    kills.main()
    speed.main()
    scaling.main()
    training.main()
    recovery.main()
