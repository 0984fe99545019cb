"""Details in messages as values that actions can use: dates, amounts, parcels, telephones, names with typos."""
