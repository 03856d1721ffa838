package scale

import (
	"errors"
	"math"
)

// Fit returns the factors of the columns that come nearest to the values, by least squares of the
// relative errors, and the relative error of each row. There must be as many rows as columns, and no
// column may follow from the others.
func Fit(rows [][]float64, values []float64) (factors, residuals []float64, err error) {
	if len(rows) == 0 || len(rows) != len(values) || len(rows) < len(rows[0]) {
		return nil, nil, errors.New("there are fewer rows than factors")
	}
	n := len(rows[0])
	m := make([][]float64, n) // the normal equations
	for i := range m {
		m[i] = make([]float64, n+1)
		for r, row := range rows {
			w := 1 / (values[r] * values[r])
			for j := range n {
				m[i][j] += w * row[i] * row[j]
			}
			m[i][n] += w * row[i] * values[r]
		}
	}
	if factors, err = solve(m); err != nil {
		return nil, nil, err
	}
	for r, row := range rows {
		sum := 0.0
		for i, f := range factors {
			sum += f * row[i]
		}
		residuals = append(residuals, sum/values[r]-1)
	}
	return factors, residuals, nil
}

// solve solves linear equations, a row each with its right side last, by elimination.
func solve(m [][]float64) ([]float64, error) {
	n := len(m)
	for i := range n {
		best := i
		for r := i + 1; r < n; r++ {
			if math.Abs(m[r][i]) > math.Abs(m[best][i]) {
				best = r
			}
		}
		m[i], m[best] = m[best], m[i]
		if m[i][i] == 0 {
			return nil, errors.New("the figures do not tell the factors apart")
		}
		for r := range n {
			if r == i {
				continue
			}
			f := m[r][i] / m[i][i]
			for c := i; c <= n; c++ {
				m[r][c] -= f * m[i][c]
			}
		}
	}
	solved := make([]float64, n)
	for i := range n {
		solved[i] = m[i][n] / m[i][i]
	}
	return solved, nil
}
