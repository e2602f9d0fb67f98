package graph

import (
	"sync"

	"github.com/qrun-onnx/qrun/tensor"
)

// Bounds of the caches of plans. A plan is some hundred bytes a node.
const (
	maxPlans     = 64
	maxBodyPlans = 16
)

// planCache keeps the plans used last, by the types and shapes of the inputs.
type planCache struct {
	max   int
	mu    sync.Mutex
	plans []*plan // the one used last is last
}

func newPlanCache(max int) *planCache { return &planCache{max: max} }

func (c *planCache) find(in, captured []*tensor.Tensor) *plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.plans) - 1; i >= 0; i-- {
		if p := c.plans[i]; p.matches(in, captured) {
			copy(c.plans[i:], c.plans[i+1:])
			c.plans[len(c.plans)-1] = p
			return p
		}
	}
	return nil
}

func (c *planCache) add(p *plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.plans) == c.max {
		copy(c.plans, c.plans[1:])
		c.plans[len(c.plans)-1] = p
		return
	}
	c.plans = append(c.plans, p)
}
