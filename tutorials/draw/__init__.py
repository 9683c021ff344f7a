"""The figures of chapters 1 to 4 and of their appendices.

They are kept here because the chapters should show what is computed, not how it is drawn. There is one module for each
chapter, and one function for each figure. A function takes what the chapter has computed and draws it with pyplot. The
chapter then calls `plt.show()`.
"""
COLOURS = "#004488", "#DDAA33", "#BB5566"       # shirt, coat, dress
NAMES = "shirt", "coat", "dress"
