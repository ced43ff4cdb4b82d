print("hyperfresh")
