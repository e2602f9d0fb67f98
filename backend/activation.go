package backend

import "fmt"

var activationNames = []string{ActNone: "", ActRelu: "Relu", ActGelu: "Gelu", ActGeluTanh: "GeluTanh", ActSilu: "Silu", ActSigmoid: "Sigmoid",
	ActTanh: "Tanh", ActClip: "Clip", ActLeakyRelu: "LeakyRelu", ActHardSwish: "HardSwish", ActHardSigmoid: "HardSigmoid", ActQuickGelu: "QuickGelu"}

func (a Activation) String() string { return activationNames[a] }

// ParseActivation returns the activation of that name, "" meaning none.
func ParseActivation(name string) (Activation, error) {
	for a, n := range activationNames {
		if n == name {
			return Activation(a), nil
		}
	}
	return ActNone, fmt.Errorf("activation %q is not known", name)
}
