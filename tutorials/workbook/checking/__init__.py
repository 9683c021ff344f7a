"""Compare what a student wrote in the workbook with exact numbers, and name the likely slip."""
