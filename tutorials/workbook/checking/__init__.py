"""Hold what a student wrote in the workbook to exact numbers, and name the likely slip."""
