from collections import defaultdict

RIGHT = defaultdict(list)
WRONG = defaultdict(list)
