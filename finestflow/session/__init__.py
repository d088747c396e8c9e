"""The calls of one run while its body goes: what each becomes, when it runs, what it waits for and what it leaves behind."""
