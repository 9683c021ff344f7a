"""The figures of chapters 1 to 4 and of their appendices, so that the chapters show what is computed and not how it is
drawn.

One module a chapter, one function a figure. Each function takes what the chapter computed and draws it with pyplot; the
chapter calls `plt.show()`.
"""
COLOURS = "#004488", "#DDAA33", "#BB5566"       # shirt, coat, dress
NAMES = "shirt", "coat", "dress"
